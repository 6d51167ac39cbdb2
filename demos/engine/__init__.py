"""The engine itself: its graph and its speed."""
