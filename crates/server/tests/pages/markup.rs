//! The forms of a page, read from what the server sends. Our pages are written by one hand, so this reads
//! their markup and not any.

/// A form and where it leads.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) is_post: bool,
    pub(crate) fields: Vec<Field>,
}

/// Something that is filled in, or sent along.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// What it says as it is served.
    pub(crate) value: String,
    /// The kind of input; `hidden`, `select`, `textarea`.
    pub(crate) kind: String,
}

impl Field {
    /// Whether a person writes into it. What stands in files is tried elsewhere.
    pub(crate) fn is_written(&self) -> bool {
        let others = ["hidden", "select", "checkbox", "radio", "submit", "file"];
        !others.contains(&self.kind.as_str())
    }
}

/// What an attribute of a tag says.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(plain(rest.split('"').next()?))
}

/// A text as it was before it was written into a page.
pub(crate) fn plain(text: &str) -> String {
    let mut parts = text.split("&#");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once(';').expect("written by number");
        let code = code.parse().expect("a number");
        plain.push(char::from_u32(code).expect("a letter"));
        plain.push_str(rest);
    }
    plain
}

fn field(tag: &str, rest: &str) -> Option<Field> {
    let (kind, value) = if tag.starts_with("<select") {
        let options = rest.split("</select>").next()?;
        let chosen = options.split("<option").find(|one| one.contains(" selected"));
        ("select".to_owned(), chosen.and_then(|one| attribute(one, "value")))
    } else if tag.starts_with("<textarea") {
        ("textarea".to_owned(), rest.split("</textarea>").next().map(plain))
    } else {
        (attribute(tag, "type").unwrap_or_else(|| "text".to_owned()), attribute(tag, "value"))
    };
    Some(Field { name: attribute(tag, "name")?, value: value.unwrap_or_default(), kind })
}

/// All forms of a page.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let form = |text: &str| {
        let text = text.split("</form>").next().unwrap_or_default();
        let (head, body) = text.split_once('>').expect("the end of a tag");
        let starts = body.match_indices('<').map(|(at, _)| &body[at..]);
        let tags = starts.filter_map(|rest| rest.split_once('>'));
        let is_field =
            |tag: &str| ["<input", "<textarea", "<select"].iter().any(|it| tag.starts_with(it));
        let fields =
            tags.filter(|(tag, _)| is_field(tag)).filter_map(|(tag, rest)| field(tag, rest));
        Form {
            action: attribute(head, "action").unwrap_or_default(),
            is_post: attribute(head, "method").is_some_and(|method| method == "post"),
            fields: fields.collect(),
        }
    };
    let forms: Vec<_> = page.split("<form").skip(1).map(form).collect();
    // What stands outside of every form is sent by nobody, and would not be seen here.
    let inside: usize = forms.iter().map(|form| form.fields.len()).sum();
    let all = ["<input", "<textarea", "<select"].map(|tag| page.matches(tag).count());
    assert_eq!(inside, all.iter().sum::<usize>(), "a field outside of every form: {page}");
    forms
}

#[test]
fn fields_are_found_with_what_they_say() {
    let page = "<form class=\"a\" method=\"post\" action=\"/a\"><input type=\"hidden\" name=\"key\" \
                value=\"&#60;k\"><input name=\"b\" required><textarea name=\"c\">d</textarea>\
                <select id=\"e\" name=\"e\"><option value=\"1\">x</option><option value=\"2\" \
                selected>y</option></select></form><form action=\"/g\"></form>";
    let forms = forms(page);
    let shown: Vec<_> = forms[0]
        .fields
        .iter()
        .map(|one| (one.name.as_str(), one.value.as_str(), one.is_written()))
        .collect();
    let wanted = [("key", "<k", false), ("b", "", true), ("c", "d", true), ("e", "2", false)];
    assert_eq!(shown, wanted);
    assert_eq!((forms[0].action.as_str(), forms[0].is_post, forms[1].is_post), ("/a", true, false));
}
