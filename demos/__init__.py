"""The lectures' claims as experiments. `python -m demos` lists them; `python -m demos vae` runs one."""
