//! A flow as a picture: bars on the left, one in the middle, bars on the right, and ribbons between them
//! whose width is an amount. Whole numbers only.

use sponsorhub_core::money::Minor;

/// An end of a ribbon.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) amount: Minor,
    /// The amount as it is shown.
    pub(super) shown: String,
    /// Where its entries are.
    pub(super) href: String,
    /// Which kind of money it is; a class of the style.
    pub(super) tone: &'static str,
}

/// A node with its bar and ribbon.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) node: Node,
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) height: i64,
    /// The path of its ribbon.
    pub(super) ribbon: String,
    pub(super) text_x: i64,
    pub(super) text_y: i64,
    /// Where the text is held.
    pub(super) anchor: &'static str,
}

/// The whole picture.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) middle_x: i64,
    pub(super) middle_y: i64,
    pub(super) middle_height: i64,
    pub(super) drawn: Vec<Drawn>,
    pub(super) class: &'static str,
}

/// Where things stand across.
#[derive(Clone, Copy, Debug)]
pub(super) struct Across {
    pub(super) width: i64,
    left: i64,
    middle: i64,
    right: i64,
    has_left_text: bool,
    class: &'static str,
}

/// On a desk.
pub(super) const WIDE: Across =
    Across { width: 860, left: 176, middle: 360, right: 610, has_left_text: true, class: "wide" };

/// On a phone.
pub(super) const NARROW: Across =
    Across { width: 340, left: 0, middle: 64, right: 168, has_left_text: false, class: "narrow" };

/// How wide a bar is.
const BAR: i64 = 8;

/// How high all amounts of a side are together.
const HEIGHT: i64 = 320;

/// Least distance between the tops of two bars, so that two lines of text fit.
const PITCH: i64 = 46;

/// Between two bars.
const GAP: i64 = 12;

/// The height of an amount: at least a line that can be seen.
fn height(amount: Minor, whole: Minor) -> i64 {
    if whole.is_positive() && !amount.is_negative() {
        amount.times_over(HEIGHT, whole.0).0.max(2)
    } else {
        2
    }
}

fn ribbon((x1, y1): (i64, i64), (x2, y2): (i64, i64), height: i64) -> String {
    let (half, low1, low2) = (i64::midpoint(x1, x2), y1 + height, y2 + height);
    format!(
        "M{x1} {y1}C{half} {y1} {half} {y2} {x2} {y2}L{x2} {low2}C{half} {low2} {half} {low1} {x1} {low1}Z"
    )
}

/// How high a side is with the room between its bars.
fn side(nodes: &[Node], whole: Minor) -> i64 {
    nodes.iter().map(|node| (height(node.amount, whole) + GAP).max(PITCH)).sum()
}

/// Draws what came in (left) and where it is (right).
pub(super) fn draw(left: &[Node], right: &[Node], across: Across) -> Picture {
    let whole: Minor = right.iter().map(|node| node.amount).sum();
    let of = |nodes: &[Node]| -> i64 { nodes.iter().map(|one| height(one.amount, whole)).sum() };
    let total = side(left, whole).max(side(right, whole));
    let middle_height = of(left).max(of(right));
    let middle_y = (total - middle_height) / 2;
    let mut drawn = Vec::new();
    for (nodes, is_left) in [(left, true), (right, false)] {
        let (mut y, mut at) = ((total - side(nodes, whole)) / 2, middle_y);
        for node in nodes {
            let high = height(node.amount, whole);
            let x = if is_left { across.left } else { across.right };
            let path = if is_left {
                ribbon((x + BAR, y), (across.middle, at), high)
            } else {
                ribbon((across.middle + BAR, at), (x, y), high)
            };
            let (text_x, anchor) = if is_left { (x - 10, "end") } else { (x + BAR + 10, "start") };
            let text_y = y + (high / 2).min(PITCH) + 1;
            drawn.push(Drawn {
                node: node.clone(),
                x,
                y,
                height: high,
                ribbon: path,
                text_x,
                text_y: text_y.max(y + 12),
                anchor: if is_left && !across.has_left_text { "none" } else { anchor },
            });
            y += (high + GAP).max(PITCH);
            at += high;
        }
    }
    Picture {
        width: across.width,
        height: total.max(PITCH) + 8,
        middle_x: across.middle,
        middle_y,
        middle_height,
        drawn,
        class: across.class,
    }
}

impl Drawn {
    /// Whether there is room for its text.
    pub(super) fn has_text(&self) -> bool {
        self.anchor != "none"
    }

    /// The second line of its text.
    pub(super) fn second_y(&self) -> i64 {
        self.text_y + 17
    }
}

/// How wide a bar is, for the page.
pub(super) const fn bar() -> i64 {
    BAR
}

/// Parts of a whole as widths of a bar of `width`, which they fill; what is more than nothing is seen.
pub(super) fn widths(amounts: &[Minor], width: i64) -> Vec<i64> {
    let whole: Minor = amounts.iter().map(|amount| amount.or_zero()).sum();
    if !whole.is_positive() {
        return vec![0; amounts.len()];
    }
    let one = |amount: &Minor| match amount.or_zero() {
        Minor(0) => 0,
        amount => amount.times_over(width, whole.0).0.max(3),
    };
    let mut all: Vec<i64> = amounts.iter().map(one).collect();
    let sum: i64 = all.iter().sum();
    if let Some(widest) = all.iter_mut().max() {
        *widest += width - sum;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(amount: i64) -> Node {
        Node {
            name: String::new(),
            amount: Minor(amount),
            shown: String::new(),
            href: String::new(),
            tone: "paid",
        }
    }

    #[test]
    fn bars_are_as_high_as_their_amounts_and_do_not_touch() {
        let (left, right) = ([node(1_000)], [node(750), node(249), node(1)]);
        for across in [WIDE, NARROW] {
            let picture = draw(&left, &right, across);
            let heights: Vec<i64> = picture.drawn.iter().map(|one| one.height).collect();
            assert_eq!(heights, [320, 240, 79, 2], "what is there is seen");
            for pair in picture.drawn[1..].windows(2) {
                assert!(pair[0].y + pair[0].height + GAP <= pair[1].y, "{pair:?}");
                assert!(pair[0].text_y + PITCH - GAP <= pair[1].text_y + 40, "{pair:?}");
            }
            let lowest = picture.drawn.iter().map(|one| one.y + one.height).max();
            assert!(lowest.is_some_and(|lowest| lowest <= picture.height));
        }
        assert!(draw(&[], &[], WIDE).drawn.is_empty());
    }

    #[test]
    fn parts_fill_their_bar_and_none_disappears() {
        let all = widths(&[Minor(999_999), Minor(1), Minor(0), Minor(-5)], 600);
        assert_eq!(all, [597, 3, 0, 0]);
        assert_eq!(widths(&[Minor(0)], 600), [0]);
    }
}
