"""Lists of codes that formats test against, with their sources and dates."""

from __future__ import annotations

_CURRENCIES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP
    CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR
    MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST
    XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG
"""
"""ISO 4217 list one (current currencies, funds, metals, XTS, XXX) up to amendment 180, in force since 2026-01-01:
https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html
"""

_IBAN_LENGTHS = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18
    FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
    LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24
    SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
"""SWIFT's IBAN registry, release 101, 2026-01: https://www.swift.com/node/11971"""


def countries() -> tuple[str, ...]:
    """The officially assigned ISO 3166-1 alpha-2 codes, as the installed tzdata has them."""
    from importlib.resources import files

    table = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8")
    return tuple(line.split("\t")[0] for line in table.splitlines() if line and not line.startswith("#"))


def currencies() -> tuple[str, ...]:
    """The alphabetic codes that ISO 4217 has now; withdrawn ones are left out."""
    return tuple(_CURRENCIES.split())


def iban_lengths() -> tuple[str, ...]:
    """Each country that has IBANs, with the number of their characters: `DE22`."""
    return tuple(_IBAN_LENGTHS.split())
