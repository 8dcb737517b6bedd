"""Settings, errors, the registry of engines and the store of model files. Knows nobody."""
