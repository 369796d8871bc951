//! How many connections an address has, so that one does not take the place of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

/// Connections by address.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
    /// Many people come through these.
    proxies: Arc<[IpNet]>,
}

/// A connection of an address, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    from: IpAddr,
}

/// Whoever has one IPv6 address has the 2^64 that begin like it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl Addresses {
    /// Lets an address have `most` connections; proxies that are trusted have as many as they like.
    pub(crate) fn new(most: usize, proxies: &[IpNet]) -> Self {
        Self { counts: Arc::default(), most, proxies: proxies.into() }
    }

    /// Lets a connection in; none where its address has too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let is_proxy = self.proxies.iter().any(|network| network.contains(&address));
        let from = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(from).or_default();
        if *count >= self.most && !is_proxy {
            return None;
        }
        *count += 1;
        Some(Guest { counts: Arc::clone(&self.counts), from })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get_mut(&self.from).map(|count| {
            *count -= 1;
            *count
        });
        if count == Some(0) {
            counts.remove(&self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        let addresses = Addresses::new(2, &proxies);
        let enter = |address: &str| addresses.enter(address.parse().expect("an address"));
        let (first, second) = (enter("192.0.2.1"), enter("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").is_none() && enter("::ffff:192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some(), "another address");
        drop(first);
        let third = enter("192.0.2.1");
        assert!(third.is_some() && enter("192.0.2.1").is_none());
        let of_a_house = [enter("2001:db8::1"), enter("2001:db8::2"), enter("2001:db8::3")];
        assert_eq!(of_a_house.map(|guest| guest.is_some()), [true, true, false]);
        let through_a_proxy = [(); 3].map(|()| enter("10.1.1.1"));
        assert!(through_a_proxy.iter().all(Option::is_some));
        drop((second, third, through_a_proxy));
        assert!(addresses.counts.lock().expect("whole").is_empty(), "nothing is left behind");
    }
}
