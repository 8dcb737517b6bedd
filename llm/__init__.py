"""The writer: a masked-diffusion language model, its sampler and its weights. Knows nobody but config."""
