//! The life of jobs, services and pipelines: placement, leases, retries, comparison, outbox.
