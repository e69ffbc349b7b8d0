"""metrics.k8s.io: what nodes and pods use, without a metrics server.

The nodes' pages are read while somebody asks (`scraping`, `exposition`), two looks at a counter make a usage
(`points`), and usages are shown as objects (`objects`). An APIService that names a Service hands the group to
whoever is behind it.
"""
