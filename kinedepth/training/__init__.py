"""THE LOOP, on Lightning Fabric: phases, epochs, steps."""
