"""kinedepth."""
