//! The contract, kept by the fake.

use sandbox::fake::FakeProvider;

sandbox::contract_tests!(FakeProvider::new());
