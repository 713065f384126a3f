//! `headwater keys`: who may call, and what for.

use clap::{Args, Subcommand};
use headwater_registry::{KeyRecord, Registry, Scope};
use serde::Serialize;

use super::context::Context;
use super::failure::Failure;
use crate::output::Table;

/// Flags of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    /// Make a key. Its secret is shown once and stored only as a hash.
    Create {
        /// What to call it, so that you know it again.
        label: String,
        /// What it may do: ingest, read, admin; several with commas.
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_value = "ingest,read")]
        scopes: Vec<Scope>,
    },
    /// List the keys, revoked ones included.
    List,
    /// Take a key away: a running server refuses it within a second.
    Revoke {
        /// The key's id, as `keys list` shows it.
        id: String,
    },
}

#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    key: KeyRecord,
    secret: String,
}

pub(super) fn run(context: &Context, args: &KeysArgs) -> Result<(), Failure> {
    let registry = context.registry()?;
    match &args.action {
        KeysAction::Create { label, scopes } => create(context, &registry, label, scopes),
        KeysAction::List => list(context, &registry),
        KeysAction::Revoke { id } => revoke(context, &registry, id),
    }
}

fn create(context: &Context, registry: &Registry, label: &str, scopes: &[Scope]) -> Result<(), Failure> {
    let (key, secret) = registry.create_key(label, scopes)?;
    let created = Created { key, secret };
    Ok(context.output.result(&created, || {
        format!(
            "{}\n\nKey {} ({}) may {}. The secret above is shown this once: keep it safe, and send it as\n  Authorization: Bearer SECRET",
            created.secret,
            created.key.id,
            created.key.label,
            words(&created.key.scopes)
        )
    })?)
}

fn list(context: &Context, registry: &Registry) -> Result<(), Failure> {
    let keys = registry.list_keys()?;
    Ok(context.output.result(&serde_json::json!({ "keys": keys }), || {
        if keys.is_empty() {
            return "There is no key: `headwater keys create LABEL` makes one.".to_owned();
        }
        let mut table = Table::new(["id", "label", "scopes", "created", "revoked"]);
        for key in &keys {
            let revoked = key.revoked.map(|time| time.to_string()).unwrap_or_default();
            table.row([
                key.id.clone(),
                key.label.clone(),
                words(&key.scopes),
                key.created.to_string(),
                revoked,
            ]);
        }
        table.render()
    })?)
}

fn revoke(context: &Context, registry: &Registry, id: &str) -> Result<(), Failure> {
    let key = registry.revoke_key(id)?;
    Ok(context.output.result(&key, || format!("{} ({}) is revoked.", key.id, key.label))?)
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}
