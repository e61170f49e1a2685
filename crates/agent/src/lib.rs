//! The loop: think, act, observe, repeat. It sees neither database nor HTTP: it is driven through ports.

pub mod port;
