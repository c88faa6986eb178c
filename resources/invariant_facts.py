"""Facts about single R4 constraints: where the standard's expression is wrong, and what the frequent ones mean.

http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

CORRECTED: dict[tuple[str, str], str] = {
    # The code of appointmentstatus is `noshow`; with `no-show` no missed appointment could give a reason.
    (
        "Appointment",
        "app-4",
    ): "cancelationReason.exists() implies (status = 'noshow' or status = 'cancelled')",
    # `when` repeats, and `in` takes one item only.
    ("Timing.repeat", "tim-9"): (
        "offset.empty() or (when.exists() and when.where($this in ('C' | 'CM' | 'CD' | 'CV')).empty())"
    ),
    # The value of a FHIR boolean is of type FHIR.boolean; System.Boolean is what expressions give.
    ("Questionnaire.item.enableWhen", "que-7"): "operator = 'exists' implies answer.ofType(boolean).exists()",
    # Without a probability the comparison is empty; which is neither met nor broken.
    ("RiskAssessment.prediction", "ras-2"): (
        "probability.ofType(decimal).empty() or probability.ofType(decimal) <= 100"
    ),
    # A CodeableConcept is never equal to a string: the warning came for every category.
    ("Condition", "con-3"): (
        "clinicalStatus.exists() or verificationStatus.coding.where("
        "system = 'http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists()"
        " or category.coding.where(system = 'http://terminology.hl7.org/CodeSystem/condition-category'"
        " and code = 'problem-list-item').empty()"
    ),
    # What is no number has no order: the result was empty and 'abc' passed.
    ("ElementDefinition.max", "eld-3"): "$this = '*' or matches('^[0-9]+$')",
    # It speaks of a name, which a ChargeItemDefinition has not.
    ("ChargeItemDefinition", "cid-0"): "true",
    ("MessageDefinition.focus", "md-1"): "max = '*' or max.matches('^0*[1-9][0-9]*$')",
}
"""Expressions that are evaluated instead of the standard's, by where they are defined and their key."""

WORDS: dict[str, str] = {
    "age-1": "an Age has a UCUM code where it has a value, its system is UCUM, and it is greater than 0",
    "ait-1": "clinicalStatus is expected unless verificationStatus is entered-in-error",
    "ait-2": "no clinicalStatus is expected where verificationStatus is entered-in-error",
    "app-2": "start and end are expected both or neither",
    "app-3": "start and end are expected unless status is proposed, cancelled or waitlist",
    "app-4": "cancelationReason is expected only where status is cancelled or noshow",
    "att-1": "contentType is expected where there is data",
    "bdl-1": "total is expected only in a searchset or history",
    "bdl-2": "entry.search is expected only in a searchset",
    "bdl-3": "entry.request is expected in every entry of a batch, transaction or history, and in no other",
    "bdl-4": "entry.response is expected in every entry of a batch-response, transaction-response or history,"
    " and in no other",
    "bdl-5": "an entry has a resource, a request or a response",
    "bdl-7": "each fullUrl may stand once, unless the versions of its resources differ",
    "bdl-8": "fullUrl is not expected to name a version (/_history/)",
    "bdl-9": "a document has an identifier with system and value",
    "bdl-10": "a document has a timestamp",
    "bdl-11": "the first resource of a document is a Composition",
    "bdl-12": "the first resource of a message is a MessageHeader",
    "con-3": "clinicalStatus is expected for a problem list item that is not entered-in-error",
    "con-4": "an abated condition has the clinicalStatus inactive, resolved or remission",
    "con-5": "no clinicalStatus is expected where verificationStatus is entered-in-error",
    "cpt-2": "a ContactPoint with a value has a system",
    "cnt-3": "a Count is a whole number with the UCUM code 1",
    "dis-1": "a Distance has a code where it has a value, and its system is UCUM",
    "dom-6": "a narrative (text.div) is expected for robust management",
    "drt-1": "a Duration with a code has the system UCUM and a value",
    "obs-3": "a referenceRange has low, high or text",
    "obs-6": "dataAbsentReason is expected only where there is no value",
    "obs-7": "no component is expected to have the code of an Observation that has a value itself",
    "org-1": "an Organization has a name or an identifier",
    "org-2": "an Organization's address is not for home use",
    "org-3": "an Organization's telecom is not for home use",
    "pat-1": "a contact has a name, telecom, address or organization",
    "per-1": "start is expected not to be after end",
    "qty-3": "a Quantity with a code has a system",
    "rat-1": "a Ratio has numerator and denominator, or neither and an extension",
    "rng-2": "low is expected not to be greater than high",
    "tim-1": "durationUnit is expected where there is a duration",
    "tim-2": "periodUnit is expected where there is a period",
    "tim-4": "duration is expected not to be negative",
    "tim-5": "period is expected not to be negative",
    "tim-6": "periodMax is expected only with a period",
    "tim-7": "durationMax is expected only with a duration",
    "tim-8": "countMax is expected only with a count",
    "tim-9": "offset is expected only with a when, and not with C, CM, CD or CV",
    "tim-10": "timeOfDay and when are expected not to stand together",
}
"""What is expected, for the constraints that are met often; the others show their expression."""
