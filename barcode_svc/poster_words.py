"""What a poster says, by language (ISO 639-1)."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class PosterWords:
    """The words of one language."""

    invitation: str
    """Above the code: what to do with it."""
    warning: str
    """Below the code. It is the payer's protection against a code that was pasted over: the phone
    shows the name that we have on record, never one that a code claims."""


POSTER_WORDS: dict[str, PosterWords] = {
    "en": PosterWords("Scan to pay", "Check the name on your phone before you pay."),
    "de": PosterWords(
        "Scannen und bezahlen", "Prüfen Sie vor dem Bezahlen den Namen auf Ihrem Telefon."
    ),
    "es": PosterWords("Escanea para pagar", "Comprueba el nombre en tu teléfono antes de pagar."),
    "fr": PosterWords("Scannez pour payer", "Vérifiez le nom sur votre téléphone avant de payer."),
    "id": PosterWords("Pindai untuk membayar", "Periksa nama di ponsel Anda sebelum membayar."),
    "it": PosterWords("Inquadra per pagare", "Controlla il nome sul telefono prima di pagare."),
    "nl": PosterWords(
        "Scan om te betalen", "Controleer de naam op je telefoon voordat je betaalt."
    ),
    "pl": PosterWords("Zeskanuj, aby zapłacić", "Przed zapłatą sprawdź nazwę na telefonie."),
    "pt": PosterWords("Leia o código para pagar", "Confira o nome no telefone antes de pagar."),
    "tr": PosterWords(
        "Ödemek için okutun",
        "Ödemeden önce telefonunuzdaki adı kontrol edin.",  # noqa: RUF001 - Turkish
    ),
    "vi": PosterWords(
        "Quét mã để thanh toán", "Hãy kiểm tra tên trên điện thoại trước khi thanh toán."
    ),
}
"""Those that are written left to right in letters that the poster's font has and that stand side by
side: Thai or Arabic would need an engine that shapes text."""
