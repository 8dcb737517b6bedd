"""The writer: a masked-diffusion language model, its sampler and weights. Knows only config."""
