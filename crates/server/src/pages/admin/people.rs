//! `/admin/people`: who signs in here, and the brands and creators that they are.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use sponsorhub_core::ids::{BrandId, CreatorId};
use sponsorhub_store::StoreError;

use super::super::act::{act, key};
use super::super::form::Form;
use super::super::shell::Shell;
use super::super::show::{Chip, Moment, chip, done};
use super::super::visitor::Visitor;
use super::super::{go, page};
use super::list::{Known, List, is_plain, moment, text};
use crate::api::{Fault, Path, not_found};
use crate::problem::Problem;

const OF_USERS: &[Known] = &[
    (
        "role",
        "Role",
        &[
            ("owner", "Owner of a brand"),
            ("member", "Member of a brand"),
            ("viewer", "Viewer of a brand"),
            ("creator", "Creator"),
            ("admin", "Operator"),
        ],
    ),
    ("is_suspended", "State", &[("false", "May act"), ("true", "Suspended")]),
];

const OF_CREATORS: &[Known] = &[(
    "state",
    "State",
    &[("known", "Known"), ("erasure_waits", "Erasure waits"), ("erased", "Erased")],
)];

struct User {
    id: String,
    /// The brand or creator that they are; none of operators, and of who was erased.
    name: Option<String>,
    role: &'static str,
    state: Chip,
    is_suspended: bool,
    joined_at: Option<Moment>,
    changed_at: Option<Moment>,
    /// None for the reader: nobody locks themself out.
    key: Option<String>,
}

fn user(user: &Value, reader: &str, name: Option<String>) -> User {
    let (id, is_suspended) = (text(user, "user"), user["is_suspended"] == true);
    User {
        role: match user["role"].as_str() {
            Some("owner") => "owner of a brand",
            Some("member") => "member of a brand",
            Some("viewer") => "viewer of a brand",
            Some("creator") => "creator",
            _ => "operator",
        },
        state: if is_suspended { chip("bad", "Suspended") } else { chip("good", "May act") },
        is_suspended,
        joined_at: moment(user, "joined_at"),
        changed_at: moment(user, "changed_at"),
        key: (id != reader).then(key),
        name,
        id,
    }
}

/// What somebody's brand, or the creator that they are, is called.
fn name_of(visitor: &Visitor, user: &str) -> Result<Option<String>, Problem> {
    let name = visitor.caller.shared.desk.registry(|registry| {
        let Some(known) = registry.user(user)? else { return Ok(None) };
        Ok::<_, StoreError>(match (known.role.as_str(), known.party) {
            ("creator", Some(party)) => {
                registry.creator(CreatorId(party))?.and_then(|known| known.name).map(|name| name.0)
            }
            (_, Some(party)) => registry.brand(BrandId(party))?.map(|known| known.name),
            (_, None) => None,
        })
    });
    name.map_err(|error| Fault::from(error).into())
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct Users {
    shell: Shell,
    tab: &'static str,
    done: Option<&'static str>,
    list: List,
    rows: Vec<User>,
}

/// `GET /admin/people`.
pub(in super::super) async fn users(
    visitor: Visitor,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    let asked = Form::of_query(asked);
    let places = ("/admin/people".to_owned(), "/users");
    let list = List::of(&visitor, places, OF_USERS, &asked).await?;
    let name = |one: &Value| name_of(&visitor, &text(one, "user"));
    let rows = tokio::task::block_in_place(|| {
        let rows = list.rows.iter();
        let rows = rows.map(|one| Ok(user(one, &visitor.caller.subject, name(one)?)));
        rows.collect::<Result<Vec<_>, Problem>>()
    })?;
    let (shell, done) = (visitor.titled("Users"), done(asked.text("done")));
    page(StatusCode::OK, &Users { shell, tab: "users", done, list, rows })
}

/// `POST /admin/people/users/{user}`: suspends somebody, or lets them in again.
pub(in super::super) async fn suspend(
    visitor: Visitor,
    Path(user): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    if !is_plain(&user) {
        return Err(not_found());
    }
    let is_suspended = match form.text("to") {
        "suspended" => true,
        "let-in" => false,
        _ => {
            let detail = "suspended or let-in";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about("to"));
        }
    };
    let body = json!({ "is_suspended": is_suspended });
    act(&visitor.caller, &form, ("PUT", &format!("/users/{user}")), &body).await?;
    let done = if is_suspended { "suspended" } else { "let-in" };
    Ok(go(&format!("/admin/people?done={done}")))
}

struct Brand {
    id: String,
    name: String,
    since: Option<Moment>,
    campaigns: u64,
    key: String,
}

#[derive(Template)]
#[template(path = "admin/brands.html")]
struct Brands {
    shell: Shell,
    tab: &'static str,
    done: Option<&'static str>,
    list: List,
    rows: Vec<Brand>,
}

/// `GET /admin/people/brands`.
pub(in super::super) async fn brands(
    visitor: Visitor,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    let asked = Form::of_query(asked);
    let places = ("/admin/people/brands".to_owned(), "/brands");
    let list = List::of(&visitor, places, &[], &asked).await?;
    let brand = |brand: &Value| Brand {
        id: text(brand, "id"),
        name: text(brand, "name"),
        since: moment(brand, "created_at"),
        campaigns: brand["campaigns"].as_u64().unwrap_or_default(),
        key: key(),
    };
    let rows = list.rows.iter().map(brand).collect();
    let (shell, done) = (visitor.titled("Brands"), done(asked.text("done")));
    page(StatusCode::OK, &Brands { shell, tab: "brands", done, list, rows })
}

/// `POST /admin/people/brands/{brand}/name`.
pub(in super::super) async fn name(
    visitor: Visitor,
    Path(brand): Path<BrandId>,
    form: Form,
) -> Result<Response, Problem> {
    let body = json!({ "name": form.text("name") });
    act(&visitor.caller, &form, ("PUT", &format!("/brands/{brand}")), &body).await?;
    Ok(go("/admin/people/brands?done=named"))
}

struct Creator {
    id: String,
    name: String,
    since: Option<Moment>,
    state: Chip,
    enrollments: u64,
    /// None where the erasure is asked for already.
    key: Option<String>,
}

#[derive(Template)]
#[template(path = "admin/creators.html")]
struct Creators {
    shell: Shell,
    tab: &'static str,
    done: Option<&'static str>,
    list: List,
    rows: Vec<Creator>,
}

/// `GET /admin/people/creators`.
pub(in super::super) async fn creators(
    visitor: Visitor,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    let asked = Form::of_query(asked);
    let places = ("/admin/people/creators".to_owned(), "/creators");
    let list = List::of(&visitor, places, OF_CREATORS, &asked).await?;
    let creator = |creator: &Value| Creator {
        id: text(creator, "id"),
        name: text(creator, "name"),
        since: moment(creator, "created_at"),
        state: match creator["state"].as_str() {
            Some("erased") => chip("calm", "Erased"),
            Some("erasure_waits") => chip("wait", "Erasure waits"),
            _ => chip("good", "Known"),
        },
        enrollments: creator["enrollments"].as_u64().unwrap_or_default(),
        key: (creator["state"] == "known").then(key),
    };
    let rows = list.rows.iter().map(creator).collect();
    let (shell, done) = (visitor.titled("Creators"), done(asked.text("done")));
    page(StatusCode::OK, &Creators { shell, tab: "creators", done, list, rows })
}

/// `POST /admin/people/creators/{creator}/erase`, for good, so it has to be meant.
pub(in super::super) async fn erase(
    visitor: Visitor,
    Path(creator): Path<CreatorId>,
    form: Form,
) -> Result<Response, Problem> {
    if !form.has("sure") {
        let detail = "nothing was erased: say that you mean it, as it cannot be undone";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "field_invalid", detail).about("sure"));
    }
    let path = format!("/creators/{creator}/erasure");
    let answer = act(&visitor.caller, &form, ("POST", &path), &json!({})).await?;
    let done = if answer["state"] == "erased" { "erased" } else { "erasure-waits" };
    Ok(go(&format!("/admin/people/creators?done={done}")))
}
