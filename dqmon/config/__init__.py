"""YAML with line numbers to typed models: check files and `config/dqmon.yaml`."""
