//! A person to the api.
