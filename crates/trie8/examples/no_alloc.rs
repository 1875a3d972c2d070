//! Two hundred routes that are ready when the program is loaded, without an allocator or an operating system:
//!
//! ```text
//! cargo run -p trie8 --example no_alloc -- /api/v1/clients/42 /nowhere
//! cargo build -p trie8 --example no_alloc --target x86_64-unknown-none
//! ```

#![cfg_attr(target_os = "none", no_std, no_main)]

use trie8::Match;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Admin,
    Archive,
    Export,
    Files,
    Health,
    Import,
    Index,
    List,
    Search,
    Session,
}

trie8::static_trie! {
    /// The routes, in read-only data.
    pub(crate) static ROUTES: Handler = {
        "/" => Handler::Index,
        "/static" => Handler::Files,
        "/static/img" => Handler::Files,
        "/static/js" => Handler::Files,
        "/health" => Handler::Health,
        "/metrics" => Handler::Health,
        "/login" => Handler::Session,
        "/logout" => Handler::Session,
        "/api/v1/accounts" => Handler::List,
        "/api/v1/accounts/search" => Handler::Search,
        "/api/v1/accounts/export" => Handler::Export,
        "/api/v1/accounts/import" => Handler::Import,
        "/api/v1/accounts/archive" => Handler::Archive,
        "/api/v1/addresses" => Handler::List,
        "/api/v1/addresses/search" => Handler::Search,
        "/api/v1/addresses/export" => Handler::Export,
        "/api/v1/addresses/import" => Handler::Import,
        "/api/v1/addresses/archive" => Handler::Archive,
        "/api/v1/agents" => Handler::List,
        "/api/v1/agents/search" => Handler::Search,
        "/api/v1/agents/export" => Handler::Export,
        "/api/v1/agents/import" => Handler::Import,
        "/api/v1/agents/archive" => Handler::Archive,
        "/api/v1/alerts" => Handler::List,
        "/api/v1/alerts/search" => Handler::Search,
        "/api/v1/alerts/export" => Handler::Export,
        "/api/v1/alerts/import" => Handler::Import,
        "/api/v1/alerts/archive" => Handler::Archive,
        "/api/v1/assets" => Handler::List,
        "/api/v1/assets/search" => Handler::Search,
        "/api/v1/assets/export" => Handler::Export,
        "/api/v1/assets/import" => Handler::Import,
        "/api/v1/assets/archive" => Handler::Archive,
        "/api/v1/audits" => Handler::List,
        "/api/v1/audits/search" => Handler::Search,
        "/api/v1/audits/export" => Handler::Export,
        "/api/v1/audits/import" => Handler::Import,
        "/api/v1/audits/archive" => Handler::Archive,
        "/api/v1/backups" => Handler::List,
        "/api/v1/backups/search" => Handler::Search,
        "/api/v1/backups/export" => Handler::Export,
        "/api/v1/backups/import" => Handler::Import,
        "/api/v1/backups/archive" => Handler::Archive,
        "/api/v1/badges" => Handler::List,
        "/api/v1/badges/search" => Handler::Search,
        "/api/v1/badges/export" => Handler::Export,
        "/api/v1/badges/import" => Handler::Import,
        "/api/v1/badges/archive" => Handler::Archive,
        "/api/v1/batches" => Handler::List,
        "/api/v1/batches/search" => Handler::Search,
        "/api/v1/batches/export" => Handler::Export,
        "/api/v1/batches/import" => Handler::Import,
        "/api/v1/batches/archive" => Handler::Archive,
        "/api/v1/bookings" => Handler::List,
        "/api/v1/bookings/search" => Handler::Search,
        "/api/v1/bookings/export" => Handler::Export,
        "/api/v1/bookings/import" => Handler::Import,
        "/api/v1/bookings/archive" => Handler::Archive,
        "/api/v1/brands" => Handler::List,
        "/api/v1/brands/search" => Handler::Search,
        "/api/v1/brands/export" => Handler::Export,
        "/api/v1/brands/import" => Handler::Import,
        "/api/v1/brands/archive" => Handler::Archive,
        "/api/v1/budgets" => Handler::List,
        "/api/v1/budgets/search" => Handler::Search,
        "/api/v1/budgets/export" => Handler::Export,
        "/api/v1/budgets/import" => Handler::Import,
        "/api/v1/budgets/archive" => Handler::Archive,
        "/api/v1/calendars" => Handler::List,
        "/api/v1/calendars/search" => Handler::Search,
        "/api/v1/calendars/export" => Handler::Export,
        "/api/v1/calendars/import" => Handler::Import,
        "/api/v1/calendars/archive" => Handler::Archive,
        "/api/v1/campaigns" => Handler::List,
        "/api/v1/campaigns/search" => Handler::Search,
        "/api/v1/campaigns/export" => Handler::Export,
        "/api/v1/campaigns/import" => Handler::Import,
        "/api/v1/campaigns/archive" => Handler::Archive,
        "/api/v1/carts" => Handler::List,
        "/api/v1/carts/search" => Handler::Search,
        "/api/v1/carts/export" => Handler::Export,
        "/api/v1/carts/import" => Handler::Import,
        "/api/v1/carts/archive" => Handler::Archive,
        "/api/v1/categories" => Handler::List,
        "/api/v1/categories/search" => Handler::Search,
        "/api/v1/categories/export" => Handler::Export,
        "/api/v1/categories/import" => Handler::Import,
        "/api/v1/categories/archive" => Handler::Archive,
        "/api/v1/certificates" => Handler::List,
        "/api/v1/certificates/search" => Handler::Search,
        "/api/v1/certificates/export" => Handler::Export,
        "/api/v1/certificates/import" => Handler::Import,
        "/api/v1/certificates/archive" => Handler::Archive,
        "/api/v1/channels" => Handler::List,
        "/api/v1/channels/search" => Handler::Search,
        "/api/v1/channels/export" => Handler::Export,
        "/api/v1/channels/import" => Handler::Import,
        "/api/v1/channels/archive" => Handler::Archive,
        "/api/v1/charges" => Handler::List,
        "/api/v1/charges/search" => Handler::Search,
        "/api/v1/charges/export" => Handler::Export,
        "/api/v1/charges/import" => Handler::Import,
        "/api/v1/charges/archive" => Handler::Archive,
        "/api/v1/claims" => Handler::List,
        "/api/v1/claims/search" => Handler::Search,
        "/api/v1/claims/export" => Handler::Export,
        "/api/v1/claims/import" => Handler::Import,
        "/api/v1/claims/archive" => Handler::Archive,
        "/api/v1/clients" => Handler::List,
        "/api/v1/clients/search" => Handler::Search,
        "/api/v1/clients/export" => Handler::Export,
        "/api/v1/clients/import" => Handler::Import,
        "/api/v1/clients/archive" => Handler::Archive,
        "/api/v1/comments" => Handler::List,
        "/api/v1/comments/search" => Handler::Search,
        "/api/v1/comments/export" => Handler::Export,
        "/api/v1/comments/import" => Handler::Import,
        "/api/v1/comments/archive" => Handler::Archive,
        "/api/v1/contacts" => Handler::List,
        "/api/v1/contacts/search" => Handler::Search,
        "/api/v1/contacts/export" => Handler::Export,
        "/api/v1/contacts/import" => Handler::Import,
        "/api/v1/contacts/archive" => Handler::Archive,
        "/api/v1/contracts" => Handler::List,
        "/api/v1/contracts/search" => Handler::Search,
        "/api/v1/contracts/export" => Handler::Export,
        "/api/v1/contracts/import" => Handler::Import,
        "/api/v1/contracts/archive" => Handler::Archive,
        "/api/v1/coupons" => Handler::List,
        "/api/v1/coupons/search" => Handler::Search,
        "/api/v1/coupons/export" => Handler::Export,
        "/api/v1/coupons/import" => Handler::Import,
        "/api/v1/coupons/archive" => Handler::Archive,
        "/api/v1/courses" => Handler::List,
        "/api/v1/courses/search" => Handler::Search,
        "/api/v1/courses/export" => Handler::Export,
        "/api/v1/courses/import" => Handler::Import,
        "/api/v1/courses/archive" => Handler::Archive,
        "/api/v1/customers" => Handler::List,
        "/api/v1/customers/search" => Handler::Search,
        "/api/v1/customers/export" => Handler::Export,
        "/api/v1/customers/import" => Handler::Import,
        "/api/v1/customers/archive" => Handler::Archive,
        "/api/v1/dashboards" => Handler::List,
        "/api/v1/dashboards/search" => Handler::Search,
        "/api/v1/dashboards/export" => Handler::Export,
        "/api/v1/dashboards/import" => Handler::Import,
        "/api/v1/dashboards/archive" => Handler::Archive,
        "/api/v1/datasets" => Handler::List,
        "/api/v1/datasets/search" => Handler::Search,
        "/api/v1/datasets/export" => Handler::Export,
        "/api/v1/datasets/import" => Handler::Import,
        "/api/v1/datasets/archive" => Handler::Archive,
        "/api/v1/deals" => Handler::List,
        "/api/v1/deals/search" => Handler::Search,
        "/api/v1/deals/export" => Handler::Export,
        "/api/v1/deals/import" => Handler::Import,
        "/api/v1/deals/archive" => Handler::Archive,
        "/api/v1/devices" => Handler::List,
        "/api/v1/devices/search" => Handler::Search,
        "/api/v1/devices/export" => Handler::Export,
        "/api/v1/devices/import" => Handler::Import,
        "/api/v1/devices/archive" => Handler::Archive,
        "/api/v1/discounts" => Handler::List,
        "/api/v1/discounts/search" => Handler::Search,
        "/api/v1/discounts/export" => Handler::Export,
        "/api/v1/discounts/import" => Handler::Import,
        "/api/v1/discounts/archive" => Handler::Archive,
        "/api/v1/domains" => Handler::List,
        "/api/v1/domains/search" => Handler::Search,
        "/api/v1/domains/export" => Handler::Export,
        "/api/v1/domains/import" => Handler::Import,
        "/api/v1/domains/archive" => Handler::Archive,
        "/api/v1/drivers" => Handler::List,
        "/api/v1/drivers/search" => Handler::Search,
        "/api/v1/drivers/export" => Handler::Export,
        "/api/v1/drivers/import" => Handler::Import,
        "/api/v1/drivers/archive" => Handler::Archive,
        "/api/v1/events" => Handler::List,
        "/api/v1/events/search" => Handler::Search,
        "/api/v1/events/export" => Handler::Export,
        "/api/v1/events/import" => Handler::Import,
        "/api/v1/events/archive" => Handler::Archive,
        "/api/v1/exports" => Handler::List,
        "/api/v1/exports/search" => Handler::Search,
        "/api/v1/exports/export" => Handler::Export,
        "/api/v1/exports/import" => Handler::Import,
        "/api/v1/exports/archive" => Handler::Archive,
        "/api" => Handler::Index,
        "/api/v1" => Handler::Index,
        "/api/v2" => Handler::Index,
        "/docs" => Handler::Files,
        "/docs/guide" => Handler::Files,
        "/docs/reference" => Handler::Files,
        "/admin" => Handler::Admin,
        "/admin/users" => Handler::Admin,
        "/admin/jobs" => Handler::Admin,
        "/favicon.ico" => Handler::Files,
        "/robots.txt" => Handler::Files,
        "/feed.xml" => Handler::Files,
    };
}

/// The route of a request.
pub(crate) fn route(path: &[u8]) -> Option<Match<'static, Handler>> {
    ROUTES.longest_segment_prefix(path)
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("{} routes", ROUTES.len());
    for path in std::env::args().skip(1) {
        match route(path.as_bytes()) {
            Some(found) => println!("{path}: {:?} for {}", found.value, &path[..found.len]),
            None => println!("{path}: no route"),
        }
    }
}

#[cfg(target_os = "none")]
mod bare {
    use core::hint::{black_box, spin_loop};
    use core::panic::PanicInfo;

    use super::{Handler, route};

    /// Where a boot loader would jump to.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let found = route(black_box(b"/static/logo.svg"));
        assert_eq!(found.map(|found| *found.value), Some(Handler::Files));
        loop {
            spin_loop();
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        loop {
            spin_loop();
        }
    }
}
