"""Voice calls as event-sourced state machines."""
