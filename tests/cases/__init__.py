"""Every case of docs/cases.md: which test plays it, and what is recorded while it does."""
