//! Makes the live tables what another release would have left.

use super::*;
use crate::project::conformance::{Aged, VersionOne};
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
    if let Aged::VersionOne(older) = how {
        make_older(&place, older).await;
    }
    let aged = place.states.advance(|state, _| {
        let mut document = serialize_to_document(state).unwrap();
        let members = members(&mut document);
        match how {
            Aged::WithoutCounts => members.retain(|member| !is(member, "counts")),
            Aged::CountsOfVersion99 => set(members, "counts", &[("version", Bson::Int64(99))]),
            Aged::VersionOne(older) => {
                let member = members.iter().find(|m| is(m, older.projection)).unwrap();
                let suffix = member.as_document().unwrap().get_str("suffix").unwrap();
                let tables = Bson::String(older.names(suffix));
                let fields = [("version", Bson::Int64(1)), ("tables", tables)];
                set(members, older.projection, &fields);
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

/// Copies the tables to where version 1 had them, without what it did not have.
async fn make_older(place: &Place, older: &VersionOne) {
    let state = place.states.newest().await.unwrap().unwrap();
    let names = state.names(LIVE);
    for name in names.all() {
        let Some((table, suffix)) = name.split_once("_v2") else {
            continue;
        };
        let Some((_, later)) = older.tables.iter().find(|(name, _)| *name == table) else {
            continue;
        };
        let newer = place.database.collection::<Document>(name);
        let rows = newer.find(doc! {}).await.unwrap();
        let mut rows: Vec<Document> = rows.try_collect().await.unwrap();
        if let Some(column) = later {
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
        let name = format!("{table}_v1{suffix}");
        let collection = place.database.collection::<Document>(&name);
        if !rows.is_empty() {
            collection.insert_many(rows).await.unwrap();
        }
    }
}
