//! The one front door: requests, events, error codes, the NodeApi trait, a client.
