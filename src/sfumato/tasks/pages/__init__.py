"""What is shown to people: pages, charts, sheets, and what a run folder tells."""
