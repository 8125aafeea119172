"""Language models from the config.json files of Hugging Face repositories, one module for each family."""
