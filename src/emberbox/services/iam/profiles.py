"""Operations on instance profiles, which tools ask for though there are no instances."""

from emberbox.clock import Clock, utc
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Profile


class ProfileOperations:
    """What IAM does with instance profiles."""

    def __init__(self, identities: IdentityStore, clock: Clock) -> None:
        self._identities = identities
        self._profiles = identities.profiles
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateInstanceProfile": self.create_instance_profile,
            "GetInstanceProfile": self.get_instance_profile,
            "ListInstanceProfiles": self.list_instance_profiles,
            "ListInstanceProfilesForRole": self.list_instance_profiles_for_role,
            "DeleteInstanceProfile": self.delete_instance_profile,
            "AddRoleToInstanceProfile": self.add_role,
            "RemoveRoleFromInstanceProfile": self.remove_role,
            "TagInstanceProfile": self.tag,
            "UntagInstanceProfile": self.untag,
            "ListInstanceProfileTags": self.list_tags,
        }

    async def create_instance_profile(self, context: RequestContext, params: Params) -> Params:
        """Add a profile."""
        profile = Profile(
            account=context.account,
            name=params["InstanceProfileName"],
            id=wire.unique_id("AIPA"),
            path=params.get("Path", "/"),
            created=float(int(self._clock.now())),
            tags=wire.tags_of(params),
        )
        await self._profiles.create(profile)
        return {"InstanceProfile": await self._shown(profile, with_tags=True)}

    async def get_instance_profile(self, context: RequestContext, params: Params) -> Params:
        """Show a profile with its role."""
        profile = await self._profiles.profile(context.account, params["InstanceProfileName"])
        return {"InstanceProfile": await self._shown(profile, with_tags=True)}

    async def list_instance_profiles(self, context: RequestContext, params: Params) -> Params:
        """List profiles by name."""
        found = await self._profiles.profiles(context.account)
        return await self._page(params, found)

    async def list_instance_profiles_for_role(
        self, context: RequestContext, params: Params
    ) -> Params:
        """List the profiles that hold a role."""
        found = await self._profiles.profiles(context.account, params["RoleName"])
        return await self._page(params, found)

    async def delete_instance_profile(self, context: RequestContext, params: Params) -> Params:
        """Remove a profile without a role."""
        await self._profiles.delete(context.account, params["InstanceProfileName"])
        return {}

    async def add_role(self, context: RequestContext, params: Params) -> Params:
        """Put a role into a profile."""
        name, role = params["InstanceProfileName"], params["RoleName"]
        await self._profiles.add_role(context.account, name, role)
        return {}

    async def remove_role(self, context: RequestContext, params: Params) -> Params:
        """Take the role out of a profile."""
        name, role = params["InstanceProfileName"], params["RoleName"]
        await self._profiles.remove_role(context.account, name, role)
        return {}

    async def tag(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        name = params["InstanceProfileName"]
        await self._profiles.tag(context.account, name, wire.tags_of(params), ())
        return {}

    async def untag(self, context: RequestContext, params: Params) -> Params:
        """Remove tags; those that are not there are no error."""
        name = params["InstanceProfileName"]
        await self._profiles.tag(context.account, name, {}, params["TagKeys"])
        return {}

    async def list_tags(self, context: RequestContext, params: Params) -> Params:
        """List a profile's tags by key."""
        profile = await self._profiles.profile(context.account, params["InstanceProfileName"])
        return wire.paged_tags(params, profile.tags)

    async def _page(self, params: Params, found: list[Profile]) -> Params:
        prefix = params.get("PathPrefix", "/")
        chosen = [profile for profile in found if profile.path.startswith(prefix)]
        page = wire.paged(params, "InstanceProfiles", chosen, lambda p: p.name, lambda p: p)
        shown = [await self._shown(profile) for profile in page["InstanceProfiles"]]
        return page | {"InstanceProfiles": shown}

    async def _shown(self, profile: Profile, *, with_tags: bool = False) -> Params:
        roles = []
        if profile.role is not None:
            role = await self._identities.role_named(profile.account, profile.role)
            roles.append(wire.role_in_brief(role))
        shown = {
            "Path": profile.path,
            "InstanceProfileName": profile.name,
            "InstanceProfileId": profile.id,
            "Arn": profile.arn,
            "CreateDate": utc(profile.created),
            "Roles": roles,
        }
        return shown | ({"Tags": wire.tag_list(profile.tags)} if with_tags and profile.tags else {})
