"""The label as an XMP packet (ISO 16684-1), with the field that picture sites read (IPTC Photo Metadata)."""

import json
import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from elegan.errors import UserError
from elegan.provenance.label import Label

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
MEDIA = "http://ns.adobe.com/xap/1.0/mm/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
ELEGAN = "urn:elegan:provenance:1#"
TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"

NOT_PLAIN = re.compile(r"[^!#-\[\]-~]+")
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about=""
 {spaces}
 {properties}/></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


SPACES = {"xmp": XMP, "xmpMM": MEDIA, "Iptc4xmpExt": IPTC, "elegan": ELEGAN, "TC260": TC260}


def packet(label: Label) -> str:
    """The XMP packet of a label."""
    properties = {
        "Iptc4xmpExt:DigitalSourceType": label.digital_source_type,
        "xmp:CreatorTool": label.generator,
        "xmp:CreateDate": label.created,
        "elegan:model": label.generator.split()[-1] if label.generator else "",
        "elegan:run": label.run,
        "elegan:weightsSHA256": label.weights_sha256 or "",
        "elegan:seed": "" if label.seed is None else str(label.seed),
        "xmpMM:InstanceID": label.identifier,
        "TC260:AIGC": aigc(label) if label.profile == "cn" else "",
    }
    lines = [f"{name}={quoteattr(value)}" for name, value in properties.items() if value]
    used = {name.partition(":")[0] for name, value in properties.items() if value}
    spaces = [f'xmlns:{name}="{uri}"' for name, uri in SPACES.items() if name in used]
    return PACKET.format(rdf=RDF, spaces=" ".join(spaces), properties="\n ".join(lines))


def aigc(label: Label) -> str:
    """The implicit label of GB 45438-2025, annex E, as JSON: generated (1), by whom, under which number.

    Who spreads it first is who made it.  Values take printable ASCII without spaces, quotes and backslashes.
    """
    producer, number = (NOT_PLAIN.sub("-", text) for text in (label.generator, label.identifier))
    facts = {
        "Label": "1", "ContentProducer": producer, "ProduceID": number, "ReservedCode1": "",
        "ContentPropagator": producer, "PropagateID": number, "ReservedCode2": "",
    }  # fmt: skip
    return json.dumps({"AIGC": facts}, separators=(",", ":"))


def parse(content: str) -> Label | None:
    """The label in an XMP packet, ours or another program's; None where it names no digital source type.

    Raises UserError for a packet that declares a document type or entities: XMP has no use for either, and
    they are how a small packet is made to fill the memory.
    """
    if "<!DOCTYPE" in content or "<!ENTITY" in content:
        raise UserError("The XMP packet declares a document type or entities, so it isn't read.")
    try:
        root = ElementTree.fromstring(content.strip("\x00 \n\ufeff"))
    except ElementTree.ParseError:
        return None
    found: dict[str, str] = {}
    for description in root.iter(f"{{{RDF}}}Description"):
        found |= description.attrib
        found |= {child.tag: (child.text or "").strip() for child in description}
    if not (source := found.get(f"{{{IPTC}}}DigitalSourceType")):
        return None
    seed = found.get(f"{{{ELEGAN}}}seed", "")
    return Label(
        generator=found.get(f"{{{XMP}}}CreatorTool", ""),
        weights_sha256=found.get(f"{{{ELEGAN}}}weightsSHA256"),
        seed=int(seed) if re.fullmatch(r"-?[0-9]{1,40}", seed) else None,
        run=found.get(f"{{{ELEGAN}}}run", ""),
        created=found.get(f"{{{XMP}}}CreateDate", ""),
        digital_source_type=source,
        identifier=found.get(f"{{{MEDIA}}}InstanceID", ""),
        profile="cn" if f"{{{TC260}}}AIGC" in found else "",
    )
