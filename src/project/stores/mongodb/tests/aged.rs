//! Makes the live tables what another release would have left.

use super::*;
use crate::project::conformance::Aged;
use mongodb::bson::{Bson, deserialize_from_document, serialize_to_document};

/// The live members of the newest state, as they are written.
fn members(state: &mut Document) -> &mut Vec<Bson> {
    let sets = state.get_document_mut("sets").unwrap();
    let live = sets.get_document_mut(LIVE).unwrap();
    live.get_array_mut("members").unwrap()
}

fn is(member: &Bson, projection: &str) -> bool {
    let named = member.as_document().unwrap().get_str("projection");
    named.unwrap() == projection
}

pub(super) async fn age(config: &ProjectConfig, how: Aged) {
    let place = MongodbStore::new(config).place().await.unwrap();
    if how == Aged::DeliveriesOfVersionOne {
        make_older(&place).await;
    }
    let aged = place.states.advance(|state, _| {
        let mut document = serialize_to_document(state).unwrap();
        let members = members(&mut document);
        match how {
            Aged::WithoutCounts => members.retain(|member| !is(member, "counts")),
            Aged::CountsOfVersion99 => set(members, "counts", &[("version", Bson::Int64(99))]),
            Aged::DeliveriesOfVersionOne => {
                let member = members.iter().find(|m| is(m, "deliveries")).unwrap();
                let tables = member.as_document().unwrap().get_str("tables").unwrap();
                let tables = Bson::String(tables.replace("_v2", "_v1"));
                let older = [("version", Bson::Int64(1)), ("tables", tables)];
                set(members, "deliveries", &older);
            }
        }
        *state = deserialize_from_document(document).unwrap();
        Ok(())
    });
    aged.await.unwrap();
}

fn set(members: &mut [Bson], projection: &str, fields: &[(&str, Bson)]) {
    let member = members.iter_mut().find(|m| is(m, projection)).unwrap();
    let Bson::Document(member) = member else {
        return;
    };
    for (name, value) in fields {
        member.insert(*name, value.clone());
    }
}

/// Copies the tables of `deliveries` to where version 1 had them, without what it did not have.
async fn make_older(place: &Place) {
    let state = place.states.newest().await.unwrap().unwrap();
    let names = state.names(LIVE);
    for name in names.all() {
        let Some((table, suffix)) = name.split_once("_v2") else {
            continue;
        };
        let newer = place.database.collection::<Document>(name);
        let rows = newer.find(doc! {}).await.unwrap();
        let mut rows: Vec<Document> = rows.try_collect().await.unwrap();
        for row in &mut rows {
            row.remove("first_attempt_at");
            row.remove("decision_offset");
        }
        let older = format!("{table}_v1{suffix}");
        let older = place.database.collection::<Document>(&older);
        if !rows.is_empty() {
            older.insert_many(rows).await.unwrap();
        }
    }
}
