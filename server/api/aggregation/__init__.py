"""APIs of other servers: APIServices that name a Service.

Which there are (`remotes`), whether they answer (`availability`), how they are reached (`connections`),
requests on their way to them (`forwarding`), what discovery shows of them (`documents`).
"""
