"""What providers and agents send, made into events: one module per sender, pure; `relay_leg` speaks through ConversationRelay."""
