//! What a replay's delivery says of itself, in headers that no signature covers.

use hooklog_schemas::{DeliveryId, ReceiptId, ReplayId};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const REPLAY: HeaderName = HeaderName::from_static("hooklog-replay");
const RECEIPT: HeaderName = HeaderName::from_static("hooklog-receipt");
const ORIGINAL: HeaderName = HeaderName::from_static("hooklog-original-delivery");

/// That a delivery is one of a replay, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// The replay.
    pub replay: ReplayId,
    /// The receipt that is delivered again.
    pub receipt: ReceiptId,
    /// The delivery that the subscription was owed at the time; none where the replay routes anew, and
    /// it may have been owed none.
    pub original: Option<DeliveryId>,
}

impl Again {
    /// Adds the headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let mut put = |name, id: String| {
            // The text of an id is fit for a header.
            if let Ok(value) = HeaderValue::try_from(id) {
                headers.insert(name, value);
            }
        };
        put(REPLAY, self.replay.to_string());
        put(RECEIPT, self.receipt.to_string());
        if let Some(original) = self.original {
            put(ORIGINAL, original.to_string());
        }
    }
}
