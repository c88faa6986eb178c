"""Search: the query of a client as a MongoDB filter, and the values of a resource it is matched against.

One file for each type of parameter keeps how a value is indexed beside how it is asked for. Nothing here does I/O.

When a resource is written:

    document["s"] = index.search_document(resource, site)       # before Decimals become Decimal128

When a type is searched:

    search = clauses.parse(resource_type, query_pairs, lenient=...)          # FHIRError 400
    joined = joins.conditions(search, site, access)                    # asks, see below
    planned = plan.plan(search, site, key, extra=access(type), joined=joined)  # FHIRError 400
    documents = find(planned.filter).sort(planned.sort).limit(planned.limit) # not if limit is 0
    total = count_documents(planned.criteria)                                # only if planned.wants_total
    comes_along = include.included(search.includes, shown, access)           # asks, see below
    bundle = searchset.searchset(planned, documents, site, key, total=total, included=...)

What other resources are needed for (chains, `_has`, `_filter`, includes) is planned by generators that ask, level by
level, and are sent what was found (`ask.py`). `access` says for each type what access control demands of it; it is
applied wherever a type is touched. A search over several types is planned by `across.py`.

`_elements` and `_summary` are in `search`, for who writes the answer. A conditional create, update or delete uses
`clauses.parse` (strict) and `query.filter_of`, and `search.normalized()` as the name of its lock.

http://hl7.org/fhir/R4/search.html
"""
