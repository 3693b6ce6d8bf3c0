"""The lab: two nodes, a client, a server and their networks on one machine, in network namespaces."""
