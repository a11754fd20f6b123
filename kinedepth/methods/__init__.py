"""One file each. Only the catalog imports them."""
