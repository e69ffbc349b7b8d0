"""Who is behind a Service: Endpoints and EndpointSlices that follow its pods, and slices as mirrors."""
