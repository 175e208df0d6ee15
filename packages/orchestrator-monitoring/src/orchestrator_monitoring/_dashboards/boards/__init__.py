"""The dashboards that come with the package."""
