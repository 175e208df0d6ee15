"""The voice-call orchestrator: the application that composes the orchestrator packages."""
