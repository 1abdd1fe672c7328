"""The StyleGAN line: equalised layers, filters, growing, styles, augmentations."""
