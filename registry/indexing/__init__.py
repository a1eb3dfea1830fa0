"""Assigns ids on the main branch, and reads what a site has published of them."""
