"""Objectives, budgets and burn rates; the decisions are pure."""
