//! Speak libp2p.
