//! `/creator/campaigns/{campaign}/links/{link}/qr.svg`: a link as a picture that a phone reads, to print or
//! to show. Drawn here, so that no other host learns of the link.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use qrcodegen::{QrCode, QrCodeEcc};
use sponsorhub_core::ids::CampaignId;

use super::super::visitor::Visitor;
use super::campaign::{links, own};
use crate::api::{Path, not_found};
use crate::problem::Problem;

/// Light around the code, without which readers do not find it, in its own squares.
const MARGIN: i32 = 4;

/// The picture; none of a text that is too long for one.
fn picture(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let (size, mut runs) = (code.size(), Vec::new());
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let dark = (x..size).take_while(|x| code.get_module(*x, y)).count();
            let dark = i32::try_from(dark).unwrap_or(size);
            if dark > 0 {
                runs.push(format!("M{} {}h{dark}v1h-{dark}z", x + MARGIN, y + MARGIN));
            }
            x += dark.max(1);
        }
    }
    let path = runs.concat();
    let across = size + 2 * MARGIN;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {across} {across}\" \
         shape-rendering=\"crispEdges\"><rect width=\"{across}\" height=\"{across}\" fill=\"#fff\"/>\
         <path d=\"{path}\" fill=\"#000\"/></svg>\n"
    ))
}

/// `GET …/links/{link}/qr.svg`.
pub(in super::super) async fn qr(
    visitor: Visitor,
    Path((campaign, number)): Path<(CampaignId, u32)>,
) -> Result<Response, Problem> {
    let link = tokio::task::block_in_place(|| {
        let enrollment = own(&visitor, campaign)?;
        let all = links(&visitor, campaign, enrollment)?;
        all.into_iter().find(|link| link.number == number).ok_or_else(not_found)
    })?;
    let picture = picture(&link.url).ok_or_else(not_found)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
        (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    ];
    Ok((headers, picture).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_squares_of_the_code_and_light_around_them() {
        let text =
            "https://go.example/r/AQEAAQGeK4I4iX44nhdoT_N06xgBniuCQLx40alfhS8ZeHK-AAAAAaqVvbXh";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).expect("short enough");
        let drawn = picture(text).expect("short enough");
        let (_, path) = drawn.split_once(" d=\"").expect("a path");
        let path = path.split('"').next().expect("its end");
        let mut dark = 0;
        for run in path.split('M').skip(1) {
            let (place, rest) = run.split_once('h').expect("a run");
            let (x, y) = place.split_once(' ').expect("a place");
            let (x, y): (i32, i32) = (x.parse().expect("x"), y.parse().expect("y"));
            let length: i32 = rest.split('v').next().expect("a length").parse().expect("a number");
            for x in x..x + length {
                assert!(code.get_module(x - MARGIN, y - MARGIN), "{x} {y}");
                dark += 1;
            }
        }
        let all = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        assert_eq!(dark, all.filter(|(x, y)| code.get_module(*x, *y)).count());
        assert!(picture(&"x".repeat(3_000)).is_none());
    }
}
