//! REST, gRPC, S3, IPFS gateway, dashboard, all of them onto the api.
