//! One word per thing: synonyms that would make a second word for something the glossary names.
//!
//! Words are compared in any spelling that code has (`promo_code`, `PromoCode`, "promo codes").
//! Code that speaks another party's wire format keeps that party's words.

use super::Report;
use super::tree::Tree;

struct Synonym {
    word: &'static str,
    say: &'static str,
    because: &'static str,
    /// Beginnings of paths where the word may stand.
    except: &'static [&'static str],
}

/// Where other people's wire formats are spoken.
const WIRES: &[&str] = &["crates/providers/", "crates/sandbox/"];

const SYNONYMS: &[Synonym] = &[
    Synonym {
        word: "escrow",
        say: "campaign funds",
        because: "it is a legal arrangement that the payment provider does not offer",
        except: &["README.md", "docs/glossary.md"],
    },
    Synonym {
        word: "affiliate",
        say: "creator",
        because: "the person who shares the link has one name",
        except: WIRES,
    },
    Synonym {
        word: "influencer",
        say: "creator",
        because: "the person who shares the link has one name",
        except: WIRES,
    },
    Synonym {
        word: "publisher",
        say: "creator",
        because: "the person who shares the link has one name",
        except: WIRES,
    },
    Synonym { word: "advertiser", say: "brand", because: "who pays has one name", except: WIRES },
    Synonym { word: "merchant", say: "brand", because: "who pays has one name", except: WIRES },
    Synonym {
        word: "chargeback",
        say: "dispute (of a deposit) or claw-back (from a creator)",
        because: "it is used for both, and they fall on different people",
        except: WIRES,
    },
    Synonym {
        word: "coupon",
        say: "promo code",
        because: "a shop's discount is another thing than the code that credits a creator",
        except: WIRES,
    },
    Synonym {
        word: "voucher",
        say: "promo code",
        because: "a shop's discount is another thing than the code that credits a creator",
        except: WIRES,
    },
    Synonym {
        word: "withdrawal",
        say: "payout (what is owed) or disbursement (an attempt to move it)",
        because: "what is owed and the attempt to move it must stay apart",
        except: WIRES,
    },
];

/// This list itself, and the rule about it.
const SELF: &str = "xtask/src/tidy/words.rs";

/// Words that the glossary has another word for.
pub(super) fn one_word_per_thing(tree: &Tree) -> Report {
    let mut problems = Vec::new();
    let mut files = 0;
    for (path, text) in [".rs", ".sql", ".md", ".toml"].into_iter().flat_map(|e| tree.ending(e)) {
        if path == SELF {
            continue;
        }
        files += 1;
        for (index, line) in text.lines().enumerate() {
            for synonym in words(line).iter().filter_map(|word| synonym(word, path)) {
                let Synonym { word, say, because, .. } = synonym;
                problems.push(format!("{path}:{}: {word}: say {say}; {because}", index + 1));
            }
        }
    }
    Report::new(format!("{files} files, {} words", SYNONYMS.len()), problems)
}

fn synonym(word: &str, path: &str) -> Option<&'static Synonym> {
    SYNONYMS.iter().find(|synonym| {
        let is_it = word == synonym.word || word.strip_suffix('s') == Some(synonym.word);
        is_it && !synonym.except.iter().any(|prefix| path.starts_with(prefix))
    })
}

/// Lower-case words of a line; an identifier is taken apart at its humps and underscores.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    for letter in line.chars() {
        if !letter.is_alphabetic() || (letter.is_uppercase() && before_is_lower) {
            words.push(String::new());
        }
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before_is_lower = letter.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        one_word_per_thing(&Tree::of(&[(path, text)])).problems.len()
    }

    #[test]
    fn every_synonym_is_found_in_prose_and_in_identifiers() {
        for Synonym { word, .. } in SYNONYMS {
            let (head, tail) = word.split_at(1);
            let hump = format!("{}{tail}", head.to_uppercase());
            let spellings = [
                word.to_string(),
                format!("{word}s"),
                word.to_uppercase(),
                format!("my_{word}_id"),
                format!("My{hump}Id"),
                format!("my{hump}"),
            ];
            for text in spellings {
                assert_eq!(problems("crates/core/src/lib.rs", &text), 1, "{text}");
            }
        }
    }

    #[test]
    fn a_word_inside_another_word_is_not_found() {
        assert_eq!(problems("docs/a.md", "the merchantable advertisers-to-be"), 1);
        assert_eq!(problems("docs/a.md", "merchantable"), 0);
    }

    #[test]
    fn a_word_may_stand_where_it_is_explained_or_where_a_wire_format_has_it() {
        assert_eq!(problems("docs/glossary.md", "not an escrow"), 0);
        assert_eq!(problems("docs/other.md", "not an escrow"), 1);
        assert_eq!(problems("crates/providers/src/stripe.rs", "merchant"), 0);
    }
}
