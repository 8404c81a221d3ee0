"""The error catalogue: code, HTTP status, what happened, who can act. The reference page is generated from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .typography import french


@dataclass(frozen=True, slots=True)
class Action:
    """A button that leads on from an error."""

    label: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One error as people read it."""

    code: str
    status: int
    title: str
    what: str
    """What happened, in words of everybody."""
    act: str
    """What the reader can do, or who can."""
    action: Action | None = None


def _catalogue(*entries: ErrorText) -> dict[str, ErrorText]:
    return {e.code: replace(e, title=french(e.title), what=french(e.what), act=french(e.act)) for e in entries}


_SERVICE = "Retournez sur le service et recommencez. Si cela continue, donnez le numéro ci-dessous à l'assistance du service."

ERRORS = _catalogue(
    ErrorText("not_found", 404, "Page introuvable", "Cette page n'existe pas.", "Vérifiez l'adresse, ou revenez à l'accueil."),
    ErrorText(
        "not_allowed",
        403,
        "Page réservée",
        "Votre rôle dans cet établissement n'ouvre pas cette page.",
        "Revenez au choix de l'établissement. Si c'est une erreur, voyez avec le chef d'établissement.",
        Action("Choisir un établissement", "school.choose"),
    ),
    ErrorText("bad_request", 400, "Demande incomprise", "Nous n'avons pas compris cette demande.", "Revenez en arrière et recommencez."),
    ErrorText("too_large", 413, "Demande trop grande", "Cette demande est trop grande.", _SERVICE),
    ErrorText(
        "csrf",
        400,
        "La page a expiré",
        "Cette page ne peut plus servir. Elle est restée ouverte trop longtemps, ou une autre fenêtre l'a remplacée.",
        "Choisissez « Recommencer ». Si cela revient, autorisez les cookies de ce site dans votre navigateur.",
    ),
    ErrorText(
        "internal",
        500,
        "Un problème est survenu",
        "Le problème vient de chez nous.",
        "Réessayez plus tard. Si cela continue, donnez le numéro ci-dessous à l'assistance.",
    ),
    ErrorText(
        "try_later",
        503,
        "Réessayez plus tard",
        "Le site ne peut pas répondre en ce moment.",
        "Réessayez dans quelques minutes. Vous n'avez rien fait de mal.",
    ),
    ErrorText(
        "directory_unavailable",
        503,
        "Réessayez plus tard",
        "Nous n'arrivons pas à lire les données de l'école en ce moment.",
        "Réessayez dans quelques minutes. Vous n'avez rien fait de mal.",
    ),
    ErrorText("unknown_issuer", 403, "Service inconnu", "Le service qui vous envoie n'est pas connu ici.", _SERVICE),
    ErrorText("service_disabled", 403, "Service fermé", "Ce service n'est pas ouvert en ce moment.", _SERVICE),
    ErrorText(
        "unknown_acs",
        403,
        "Adresse de retour inconnue",
        "Le service demande un retour vers une adresse que nous ne connaissons pas.",
        _SERVICE,
    ),
    ErrorText(
        "bad_signature",
        403,
        "Demande non signée correctement",
        "Nous ne pouvons pas vérifier que cette demande vient bien du service.",
        _SERVICE,
    ),
    ErrorText("signature_required", 403, "Demande non signée", "Ce service doit signer ses demandes, et celle-ci ne l'est pas.", _SERVICE),
    ErrorText("malformed_message", 400, "Demande illisible", "La demande du service est illisible.", _SERVICE),
    ErrorText(
        "replayed_message",
        400,
        "Demande déjà utilisée",
        "Cette demande a déjà servi.",
        "Retournez sur le service et connectez-vous de nouveau.",
    ),
    ErrorText(
        "signon_lost",
        400,
        "Connexion interrompue",
        "Votre connexion au service a été interrompue ou a duré trop longtemps.",
        "Retournez sur le service et connectez-vous de nouveau.",
    ),
    ErrorText(
        "profile_refused",
        403,
        "Ce service n'est pas pour ce profil",
        "Ce service n'accepte pas votre profil.",
        "Retournez sur le service. Rien ne lui a été envoyé sur vous.",
    ),
    ErrorText("account_suspended", 403, "Compte bloqué", "Votre compte est bloqué par sécurité.", "Contactez l'école."),
    ErrorText("account_closed", 403, "Compte fermé", "Votre compte est fermé.", "Si c'est une erreur, contactez votre établissement."),
    ErrorText(
        "no_student", 403, "Aucun élève sur ce compte", "Il n'y a plus d'élève sur votre compte.", "Si c'est une erreur, contactez l'école."
    ),
    ErrorText(
        "logout_refused",
        400,
        "Déconnexion refusée",
        "Nous n'avons pas pu vous déconnecter à la demande de ce service.",
        "Déconnectez-vous ici, ou fermez toutes les fenêtres du navigateur.",
        Action("Se déconnecter", "logout.confirm"),
    ),
    ErrorText(
        "link_expired",
        410,
        "Ce lien ne marche plus",
        "Ce lien a déjà servi, ou il est trop vieux.",
        "Si vous avez reçu plusieurs mails, ouvrez le dernier. Si vous avez déjà confirmé, connectez-vous.",
        Action("Se connecter", "login.profile"),
    ),
)
"""Every code that a page or :class:`hub.saml.messages.MessageRefused` may carry."""
