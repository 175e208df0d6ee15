"""Rules, states of alerts, and who is told when; the decisions are pure."""
