"""Mathematics: tensors in, tensors out, float32 always.

Pixel convention: the centre of the top-left pixel is (0, 0); pixels are (x, y); sizes are (height, width).
"""
