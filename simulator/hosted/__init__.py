"""The hosted form (Connect UI) as a customer sees it."""
