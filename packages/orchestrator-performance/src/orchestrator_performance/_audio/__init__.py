"""The audio path of a call; the public names are in `orchestrator_performance.audio_optimizer`."""
