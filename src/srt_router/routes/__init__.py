"""What a route is: model, validation, routes.json, plan."""
