"""The hub on the web: the page and the JSON API."""
